import serverlessMysql from "serverless-mysql";
import { database } from "./settings.mjs";

const mysql = serverlessMysql({ config: database });

export const handler = async () => {
  const rows = await mysql.query("SELECT 1 AS answer");
  await mysql.end();
  return rows;
};
