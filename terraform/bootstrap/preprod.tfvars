env = "preprod"
