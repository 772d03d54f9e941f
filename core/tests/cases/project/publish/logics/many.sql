---
auth: public
publish:
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
  - {topic: placed, mapping: {id: :env}}
---
SELECT 1
