"""Jobs: the settings of each stage, as one frozen dataclass in a file of its own.

benchmark/ builds the jobs, the workflow passes them on as JSON, and each stage reads its job back. Jobs are plain data
and do not import torch. The hash of a stage's code covers the file of its own job only, so that, for example, no model
is trained again because SampleJob has a new field.
"""
