ls -l /download/invoice
get /download/cdr/acme-2026-10-calls.csv
cd /upload
put acme-2026-10-calls.csv
ls
