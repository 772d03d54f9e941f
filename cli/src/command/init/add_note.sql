---
description: Write a note. Needs the key of santokit.dev.yaml.
roles: [app]
params:
  id: {type: string, required: true, maxLength: 40}
  text: {type: string, required: true, maxLength: 1000}
---
INSERT INTO notes (id, text) VALUES (:id, :text)
