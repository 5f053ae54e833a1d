from danggol.matching.titles import clean, codes, numbers, quantities


def test_one_quantity_has_one_spelling():
    assert {clean(text) for text in ("Gula 500 gr", "GULA 0,5kg", "gula 500G", "Gula  ５００ gram!")} == {"gula 500g"}
    assert quantities(clean("Sabun 1L isi 3 pcs")) == [("1000ml", "volume"), ("3pcs", "count")]


def test_escaped_bytes_are_read():
    assert clean(r"Cr\xc3\xa8me \xe2\x9c\xa8 Murah &amp; Baru") == "crème murah baru"
    assert clean(r"\xff\xfe broken") == "broken"
    assert clean(None) == "" == clean("")


def test_numbers_and_codes_are_told_apart():
    text = clean("Tripod WT-3520 A10s 2 in 1 500 ml 3.5mm")
    assert codes(text) == ["a10s"]
    assert numbers(text) == ["3520", "2", "1"]
    assert quantities(text) == [("500ml", "volume"), ("3.5mm", "length")]
