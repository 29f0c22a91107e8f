import mysqljs from "mysql";
import serverlessMysql from "serverless-mysql";
import { database } from "./settings.mjs";

const mysql = serverlessMysql({
  config: database,
  library: mysqljs, // the driver that it had by itself up to its version 1
  onError: (error) => console.error("onError:", error.code),
});

export const handler = async () => {
  const rows = await mysql.query("SELECT 1 AS answer");
  mysql.quit();
  return rows;
};
