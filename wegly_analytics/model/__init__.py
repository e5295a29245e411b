"""What a deal is: the declared tables, their columns, enums and ids."""
