"""The README's example of the estimators runs as it stands there."""

import re


def test_the_example_of_the_readme_prints_a_good_score_and_the_report(root, monkeypatch, capsys):
    readme = (root / "README.md").read_text(encoding="utf-8")
    example = re.search(r"## Inside scikit-learn\n.*?```python\n(.*?)```", readme, re.DOTALL)
    assert example is not None
    monkeypatch.chdir(root)
    quick = example.group(1).replace("time_limit=10", "max_candidates=1, n_jobs=1, cv=2")
    assert quick != example.group(1)
    exec(compile(quick, "README.md", "exec"), {})  # noqa: S102
    score, report = capsys.readouterr().out.split("\n", 1)
    assert float(score) > 0.9
    assert "Model of 'cultivar'" in report
