number = 17
