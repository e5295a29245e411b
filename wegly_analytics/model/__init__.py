"""The data model: the declared tables, their columns, enums and ids."""
