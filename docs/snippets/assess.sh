curl -sS --fail-with-body --retry 3 "${TRIAGE_URL:-http://127.0.0.1:8000}/v1/assess" \
  -H "Authorization: Bearer ${TRIAGE_KEY:-}" -H 'Content-Type: application/json' \
  -d '{"id": "工单-001", "text": "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315", "channel": "app"}'
