"""Made-up reviews whose mood is known."""

import numpy as np

GOOD = ["좋아요", "예뻐요", "만족합니다", "빠른 배송 최고", "love it", "perfect fit", "맛있어요 ㅎㅎ", "추천해요"]
BAD = [
    "별로예요",
    "환불해주세요",
    "실망입니다",
    "찢어져서 왔어요",
    "terrible",
    "broke at once",
    "냄새나요 ㅠㅠ",
    "안 좋아요",
]
THINGS = ["바지", "shirt", "사과", "가방은", "dress", "의자가", "컵", "이 제품", "the bag", "양말"]


def reviews(many: int = 600, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts and whether each is pleased."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, many)
    texts = []
    for one in label:
        said = rng.choice(GOOD if one else BAD, 2, replace=False)
        texts.append(f"{rng.choice(THINGS)} {said[0]} {rng.choice(THINGS)} {said[1]} {rng.integers(100)}")
    return texts, label.astype(float)
