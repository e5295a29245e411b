"""The commands about published snapshots."""

import pytest

import wegly_analytics as wa


@pytest.fixture
def published(tmp_path, snapshot_of):
    """Publish two snapshots, the older one first."""
    root = tmp_path / "data/snapshots"
    return [snapshot_of({"code": code}).save(root, personal="keep") for code in (1, 2)]


def test_snapshots_are_listed(wegly, published, tmp_path):
    code, out, _ = wegly("snapshots")
    assert code == 0
    assert "taken_at" in out
    assert [path.name.partition("=")[2] in out for path in published] == [True, True]
    assert out.count("\n") == 3


def test_a_folder_without_snapshots_is_reported(wegly, tmp_path):
    (tmp_path / "empty").mkdir()
    assert wegly("snapshots", "empty") == (0, "empty holds no snapshot yet\n", "")
    code, _, err = wegly("verify", "--root", "empty")
    assert (code, err.startswith("Error: empty holds no snapshot; ")) == (1, True)
    code, _, err = wegly("snapshots", "elsewhere")
    assert (code, err.startswith("Error: elsewhere does not exist")) == (1, True)


def test_whole_snapshots_are_verified(wegly, published):
    expected = "2 snapshots verified in data/snapshots: no file is missing or changed\n"
    assert wegly("verify") == (0, expected, "")
    name = published[0].name.partition("=")[2]
    expected = "1 snapshot verified in data/snapshots: no file is missing or changed\n"
    assert wegly("verify", "--at", name) == (0, expected, "")
    assert wegly("verify", "--root", published[0])[0] == 0
    assert wegly("verify", "--at", "2100-01-01")[0] == 0


def test_a_changed_file_is_found_and_named(wegly, published):
    (file,) = (published[0] / "deals").iterdir()
    file.write_bytes(file.read_bytes() + b"x")
    code, out, err = wegly("verify")
    assert (code, out) == (1, "")
    assert str(file.relative_to(published[0].parent)) in err
    assert wegly("verify", "--at", published[0].name)[0] == 1
    assert wegly("verify", "--at", published[1].name)[0] == 0


def test_a_snapshot_without_its_manifest_is_damaged_too(wegly, published):
    (published[1] / "_manifest.json").unlink()
    for words in ([], ["--at", published[1].name]):
        code, _, err = wegly("verify", *words)
        assert code == 1
        assert f"damaged: data/snapshots/{published[1].name}/_manifest.json: no manifest" in err


def test_commands_below_a_project_use_its_data_folder(wegly, published, tmp_path):
    (tmp_path / "notebooks").mkdir()
    assert published[1].name.partition("=")[2] in wegly("snapshots", folder="notebooks")[1]
    assert wegly("verify", folder="notebooks")[0] == 0
    (tmp_path / "deals.json").write_text('[{"id": "x", "code": 3}]')
    assert wegly("read", "../deals.json", "--personal", "keep", folder="notebooks")[0] == 0
    assert len(wa.snapshots(tmp_path / "data/snapshots")) == 3
    assert list((tmp_path / "notebooks").iterdir()) == []
    code, _, _ = wegly("verify", "--root", "data/snapshots", folder="notebooks")
    assert code == 1, "a folder that was named is not looked for elsewhere"
