"""The yardsticks of performance. They are run by command, never by the tests: a busy machine must fail nobody."""
