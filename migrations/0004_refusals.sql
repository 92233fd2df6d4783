-- Rules that must hold when a batch ends, and that no index or trigger can express, because they
-- look at other rows along a path. A statement of the batch inserts the name of a broken rule. The
-- check of that name refuses the row, and so the whole batch. The table is always empty.
CREATE TABLE refusals (
  rule TEXT NOT NULL,
  CONSTRAINT department_below_itself CHECK (rule <> 'department_below_itself'),
  CONSTRAINT departments_below CHECK (rule <> 'departments_below'),
  CONSTRAINT token_replaced CHECK (rule <> 'token_replaced')
);
