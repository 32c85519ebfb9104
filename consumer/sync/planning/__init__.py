"""Planning: the parts of an order one by one, from what HearLink says and Xero was last seen to hold. Pure."""
