"""The rules engine and the shipped packs: YAML rules, validated, compiled, evaluated as pure functions."""
