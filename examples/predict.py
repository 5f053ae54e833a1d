"""Trains on a shop's past and prints one customer's list: ``python examples/predict.py my-shop 2011-11-09 17850``."""

import sys

from danggol import PurchaseModel, Shop

path, day, customer = sys.argv[1:4]
shop = Shop.open(path)
model = PurchaseModel(windows=6).fit(shop, until=day)
print(
    model.predict(shop, at=day, top=10, customers=[customer]).join(
        shop.read("products", ["product_id", "title"]), on="product_id"
    )
)
