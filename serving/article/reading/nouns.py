"""Nouns (their lemmas) that are seldom a holder or a target."""

# Nouns for what carries a saying: whoever wrote it is the holder, and is seldom named there.
CARRIERS = frozenset({
    "act", "ad", "agenda", "agreement", "amendment", "analysis", "announcement", "article", "attack", "ban", "bill",
    "book", "case", "clause", "comment", "communique", "constitution", "contract", "cover", "cut", "datum", "deal",
    "debate", "decision", "document", "draft", "email", "event", "evidence", "figure", "filing", "finding",
    "headline", "interview", "law", "letter", "mailer", "measure", "memo", "message", "motion", "news", "note",
    "number", "order", "pact", "paper", "petition", "picture", "plan", "policy", "poll", "post", "poster", "price",
    "programme", "program", "project", "proposal", "provision", "question", "readout", "record", "remark", "report",
    "resolution", "result", "review", "rule", "ruling", "scheme", "sentence", "shot", "sign", "speech", "statement",
    "story", "strike", "study", "survey", "tape", "test", "text", "transcript", "treaty", "tweet", "verdict", "video",
    "vote", "war", "word",
})  # fmt: skip
# Nouns that stand for a saying, an amount, a time or anybody: no positions are taken on them.
EMPTY = frozenset({
    "answer", "anybody", "anyone", "anything", "case", "chance", "comment", "day", "end", "everybody",
    "everyone", "everything", "example", "fact", "hour", "hundred", "kind", "lot", "matter", "member",
    "million", "moment", "month", "number", "one", "part", "past", "percent", "place", "point", "question",
    "reason", "rest", "side", "sort", "statement", "thing", "thousand", "time", "today", "tomorrow", "view",
    "way", "week", "word", "year", "yesterday",
})  # fmt: skip
