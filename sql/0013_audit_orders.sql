-- An order's timeline shows the retries that named it among many.
create index audit_orders on audit using gin ((detail -> 'order_ids')) where detail ? 'order_ids';
