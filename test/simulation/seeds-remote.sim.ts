import { holdSeeds } from './check/hold.ts'

holdSeeds('remote', [1_015, 2_001])
