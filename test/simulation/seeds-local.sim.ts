import { holdSeeds } from './check/hold.ts'

holdSeeds('local', [])
