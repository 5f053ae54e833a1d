import gzip
import io
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danggol.errors import DataError, UsageError
from danggol.shop.sources.reading import files
from danggol.shop.sources.reading.files import check_zip, find_file, find_files, inspect_text

KOREAN = "고객번호,상품명,결제금액\n1,달항아리 조명,39000\n2,무드등,12000\n"
GERMAN = "Kunde,Größe,Straße\n1,übergroß,Königstraße\n2,klein,Äußere Gasse\n"


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("a,b\n1,2\n", "ascii", "utf-8"),
        (KOREAN, "utf-8", "utf-8"),
        (KOREAN, "utf-8-sig", "utf-8-sig"),
        (KOREAN, "cp949", "cp949"),
        (KOREAN, "euc-kr", "cp949"),
        (KOREAN, "utf-16", "utf-16"),
        (GERMAN, "utf-8", "utf-8"),
        ("注文日,商品名\n2024-03-05,月の照明\n", "utf-8", "utf-8"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_encoding_is_found_and_the_text_read_back(tmp_path, text, encoding, found, packed):
    data = text.encode(encoding)
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    file = inspect_text(path)
    assert (file.encoding, file.clean or found == "utf-16", file.compressed) == (found, True, packed)
    with file.open() as stream:
        assert stream.read() == text
    assert file.size == len(data)


def test_western_letters_are_not_taken_for_korean(tmp_path):
    (tmp_path / "a.csv").write_bytes((GERMAN * 3).encode("latin-1"))
    file = inspect_text(tmp_path / "a.csv")
    with file.open() as stream:
        assert stream.read() == GERMAN * 3


def test_korean_far_along_is_found(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a,b\n" + b"1,2\n" * 700_000 + "3,조명\n".encode("cp949"))
    assert inspect_text(tmp_path / "a.csv").encoding == "cp949"


def test_a_character_that_lies_across_two_blocks_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BLOCK", 7)
    (tmp_path / "a.csv").write_text(KOREAN, "utf-8")
    assert inspect_text(tmp_path / "a.csv").clean


def test_a_few_broken_bytes_do_not_change_the_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes(KOREAN.encode() + b"3,\xff,1\n")
    file = inspect_text(tmp_path / "a.csv")
    assert (file.encoding, file.clean) == ("utf-8", False)


def test_an_encoding_can_be_given(tmp_path):
    (tmp_path / "a.csv").write_bytes(GERMAN.encode("cp1252"))
    assert inspect_text(tmp_path / "a.csv", "cp1252").clean
    with pytest.raises(UsageError, match="no encoding 'klingon'"):
        inspect_text(tmp_path / "a.csv", "klingon")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_in_a_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_bytes(data)
    try:
        with inspect_text(path).open() as stream:
            stream.read()
    except DataError as error:
        assert "a.csv" in str(error)


def test_files_are_found_by_path_or_folder(tmp_path):
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in find_files(tmp_path, "*.csv")] == ["a.csv", "b.csv"]
    assert find_file(tmp_path / "c.txt", "*.csv").name == "c.txt"
    with pytest.raises(UsageError, match=r"several files that fit \(a.csv, b.csv\)"):
        find_file(tmp_path, "*.csv")
    with pytest.raises(UsageError, match="holds no"):
        find_file(tmp_path, "*.parquet")
    with pytest.raises(UsageError, match="nothing at"):
        find_file(tmp_path / "no")


def test_a_workbook_that_unpacks_beyond_bounds_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(80 << 20))
    (tmp_path / "bomb.xlsx").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="decompression bomb"):
        check_zip(tmp_path / "bomb.xlsx")
    (tmp_path / "none.xlsx").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match="Excel"):
        check_zip(tmp_path / "none.xlsx")


def test_a_bomb_is_stopped_early(tmp_path):
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"0" * (1 << 20)) * 2_000)
    blocks = 0
    with pytest.raises(DataError, match="decompression bomb"):
        for _ in files._blocks(tmp_path / "bomb.csv.gz", True):
            blocks += 1
    assert blocks <= files.BOMB_FLOOR / files.BLOCK + 1


def test_a_file_whose_name_is_no_text_is_named(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"\xff.csv")).write_text("a\n1\n")
    except OSError:
        pytest.skip("this disk takes no such names")
    with pytest.raises(DataError, match="is not UTF-8 text: rename"):
        find_files(tmp_path, "*.csv")
