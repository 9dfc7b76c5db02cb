"""Real data: read from a source, split, prepared by a declared pipeline, and augmented during training.

`harness.data.load.prepared` is what tasks call. A source (`sources/`) gives a `Dataset`; the split and the steps of
`data.prepare` (`prepare/`) make a training and an evaluation set of it; `augment/` changes training batches on the
device. Nothing here is fetched, and nothing is dropped without being counted.
"""
