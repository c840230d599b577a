"""Score new rows by the schema stored with the model: frames at once, files of any size in a stream."""

from tabular_automl.scoring.files import ScoreOptions, ScoreSummary, score_file
from tabular_automl.scoring.score import class_labels, predict, predict_proba

__all__ = ["ScoreOptions", "ScoreSummary", "class_labels", "predict", "predict_proba", "score_file"]
