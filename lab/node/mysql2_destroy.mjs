import mysql from "mysql2/promise";
import { database } from "./settings.mjs";

export const handler = async () => {
  const connection = await mysql.createConnection(database);
  try {
    const [rows] = await connection.query("SELECT 1 AS answer");
    return rows;
  } finally {
    connection.destroy();
  }
};
