"""`moonhand serve`: a model behind the part of OpenAI's HTTP interface that GUI agents use."""
