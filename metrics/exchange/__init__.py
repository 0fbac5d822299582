"""Exchange formats: HL7 FHIR R5 and Open mHealth (IEEE 1752.1). Columns go in, lines of JSON come out.

Pure: no database, no clock, no file. `series` is what goes in, `mappings` says what becomes of each metric.
"""
