"""Operations: the process that runs the roles, its metrics, its health, its logs; the state of all in numbers."""
