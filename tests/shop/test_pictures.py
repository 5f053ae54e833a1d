"""Pictures are opened safely: what is no picture, too large, or elsewhere is told apart."""

import io
from pathlib import Path

import pytest
from PIL import Image

from danggol.shop.pictures import fault, faults, is_url


def encoded(form: str, size: tuple[int, int] = (32, 24), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_whole_pictures_of_every_form_have_no_fault(tmp_path: Path, form: str, mode: str) -> None:
    (tmp_path / "x.jpg").write_bytes(encoded(form, mode=mode))
    assert fault(tmp_path, "x.jpg") is None


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_pictures_that_break_off_are_found(tmp_path: Path, form: str, part: float) -> None:
    content = encoded(form, (160, 120))
    (tmp_path / "x.jpg").write_bytes(content[: int(len(content) * part)])
    assert fault(tmp_path, "x.jpg") in {"truncated_picture", "not_a_picture"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"GIF89a",
        b"\xff\xd8\xff",
        b"#define x_width 1",
    ],
)
def test_other_files_are_no_pictures(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    assert fault(tmp_path, "x.png") == "not_a_picture"


def test_folders_videos_and_urls(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "clip.mp4").write_bytes(b"\0")
    assert fault(tmp_path, "folder.jpg") == "missing_picture"
    assert fault(tmp_path, "clip.mp4") is None
    assert fault(tmp_path, "x" * 5000) in {"missing_picture", "outside_shop"}
    assert is_url("https://example.org/x.jpg") and not is_url("file:///etc/passwd") and not is_url("ftp.jpg")
    assert faults(tmp_path, ["https://example.org/x.jpg", "no.jpg", "no.jpg", "../x"]) == {
        "no.jpg": "missing_picture",
        "../x": "outside_shop",
    }
