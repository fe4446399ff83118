# A program is the folders it links: what is not linked cannot be misused.
PROGRAMS := boss wire relay confd console keys flashd witness ntp

boss-y    := base ntp ipc drivers
wire-y    := base proto policy ip ipc drivers
relay-y   := base proto policy secret auth dns probe crypto tls session ipc
confd-y   := base proto policy secret conf crypto store ipc
console-y := base cli policy proto secret conf ipc
keys-y    := base secret auth pki crypto ipc
flashd-y  := base crypto image ipc drivers
witness-y := base proto policy ipc drivers
ntp-y     := base ntp ipc

# Third-party libraries
mbedtls-lib := mbedtls hogweed nettle gmp
wire-lib    := lwip
relay-lib   := $(mbedtls-lib) polarssl
confd-lib   := $(mbedtls-lib)
keys-lib    := $(mbedtls-lib) polarssl
flashd-lib  := $(mbedtls-lib)
