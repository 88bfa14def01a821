import type { Log } from '@fanfare/core'
import pino from 'pino'

/** JSON lines on stderr, each with the name of the program; stdout carries the ready line alone. */
export const openLog = (app: string, level: string): Log => pino({ level, base: { app } }, pino.destination(2))
