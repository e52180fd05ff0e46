"""Labels from a large language model behind an endpoint that speaks OpenAI's protocol."""
