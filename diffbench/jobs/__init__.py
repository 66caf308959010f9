"""Jobs: what each stage is asked, as one frozen dataclass in a file of its own.

benchmark/ builds them, the workflow hands them on as JSON, and a stage reads its own back. They are plain data and need
no torch. The hash of a stage's code covers the file of its job and not the others', so that a new field of SampleJob
trains no model again.
"""
