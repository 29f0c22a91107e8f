export const database = {
  host: process.env.DATABASE_HOST,
  port: Number(process.env.DATABASE_PORT),
  user: process.env.DATABASE_USER,
  password: process.env.DATABASE_PASSWORD,
};
// mysqljs' own option, in milliseconds; without it, the timer is armed for 30 seconds.
export const quit = process.env.QUIT_TIMEOUT ? { timeout: Number(process.env.QUIT_TIMEOUT) } : {};
