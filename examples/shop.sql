-- An invented shop for sync.json: psql -f examples/shop.sql postgresql://…/shop
CREATE TABLE orders(id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text NOT NULL, total numeric(10, 2) NOT NULL,
    placed_at timestamptz NOT NULL, copied_at timestamptz);
INSERT INTO orders(customer, total, placed_at)
SELECT 'Customer ' || n % 40, (n * 37 % 9000 + 150) / 100.0, timestamptz '2026-01-01 08:00+00' + n * interval '17 minutes'
FROM generate_series(1, 250) n;
