env = "management"
