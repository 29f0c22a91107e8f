import { promisify } from "node:util";
import mysql from "mysql";
import { database, quit } from "./settings.mjs";

export const handler = async () => {
  const connection = mysql.createConnection(database);
  try {
    return await promisify(connection.query).call(connection, "SELECT 1 AS answer");
  } finally {
    await promisify(connection.end).call(connection, quit);
  }
};
