"""An encoder that a test can afford: hashed characters, by name and as an object."""

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer


class SmallEncoder:
    def __init__(self):
        self.hashing = HashingVectorizer(analyzer="char", n_features=24, alternate_sign=False)
        self.texts = 0

    def encode(self, texts):
        self.texts += len(texts)
        return self.hashing.transform(texts).toarray().astype(np.float32)


class OtherEncoder(SmallEncoder):
    def encode(self, texts):
        return super().encode(texts)[:, ::-1]


fallen = object()
