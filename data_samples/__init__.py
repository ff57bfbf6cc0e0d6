"""The sample town: one plan (`plan/`) and the offices that deliver parts of it (`writers/`).

Run `python data_samples/make_samples.py`. Nothing here imports the service, so that a reader is
never checked against its own table.
"""
