"""Files beside the database in the data directory: kept by `perennial serve`, read by every other command."""

SECRET_KEY = "secret-key"
MOCK_URL = "mock-url"
