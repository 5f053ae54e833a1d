"""What each part of the report says, gathered from the tables: values and words, no markup."""
