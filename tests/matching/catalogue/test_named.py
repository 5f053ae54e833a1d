"""How many values titles name."""

from danggol.matching.catalogue.named import NONE, ONE, SEVERAL, named

COLOURS = ["White", "Off White", "Black", "Navy Blue", "Blue", "노랑", "-"]


def test_titles_name_no_value_one_or_several() -> None:
    told = {
        "Puma Men's Sparta Shoe": NONE,
        "puma BLACK shoe, black laces": ONE,
        "Puma Black/White Shoe": SEVERAL,
        "White, Blue and Black Shoe": SEVERAL,
        "Blackberry Shoe": NONE,
        "노랑 신발": ONE,
        "": NONE,
        None: NONE,
    }
    assert named(list(told), COLOURS).tolist() == list(told.values())


def test_a_longer_value_does_not_name_the_shorter_one_in_it() -> None:
    titles = ["Off-White Shirt", "Off White & White Shirt", "White Off Shirt", "Navy Blue Off"]
    assert named(titles, COLOURS).tolist() == [ONE, SEVERAL, ONE, ONE]
    assert named(titles, ["-", ""]).tolist() == [NONE] * 4
