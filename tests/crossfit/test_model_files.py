from tabular_automl.crossfit.model_files import model_bytes, model_digest


def test_the_digest_sees_names_and_every_byte(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"12")
    (tmp_path / "b").write_bytes(b"345")
    before = model_digest(tmp_path)
    assert before == model_digest(tmp_path)
    assert model_bytes(tmp_path) == 5
    (tmp_path / "b").write_bytes(b"346")
    changed = model_digest(tmp_path)
    (tmp_path / "b").rename(tmp_path / "c")
    assert len({before, changed, model_digest(tmp_path)}) == 3


def test_what_is_gone_has_no_digest(tmp_path):
    assert model_digest(tmp_path) is None
    assert model_digest(tmp_path / "gone") is None
    assert model_bytes(tmp_path / "gone") == 0
