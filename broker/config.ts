/** Settings of the broker role. */
import { defineSettings } from '#shared/config/settings.ts'

export const brokerSettings = defineSettings('BROKER', {
})

export type BrokerSettings = ReturnType<typeof brokerSettings.load>
