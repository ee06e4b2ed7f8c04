"""From trace dumps to a published dataset: recognise, read, store, derive."""
