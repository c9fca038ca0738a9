"""RSA keys that everybody may know: to find new primes takes a test a second, and shows nothing."""

from __future__ import annotations

import functools
import math

from cryptography.hazmat.primitives.asymmetric import rsa

# by the bits of the modulus; neither prime is 1 modulo 3, so that 3 may be the exponent
_PRIMES = {
    1024: (
        "f4253f0562f2679647acf34373c7e0b2f2d6f61c4be003deded265d6d78df80b4a5ad9a13cace78d9955"
        "9c2a7e2e2e4855b2c993fda57dd1c2975f3def70e605",
        "dc81b959b794733d38ab9e031db7e20c79794861ff03edd866418cce3e9364a64117d1e1505cd5ad0469"
        "454eb2fad191d1c0b144d759b0bc80baea9d9e012947",
    ),
    2048: (
        "e507102dcb2abd0c7f422690a9317ae94ba5a6eb07070acda2a42db281a8da648f7caa17fd9a7821325a"
        "6e42db066f98d645f18dce37d8ad53cb3a7cb78506de7865bd223c9b6acf879d1db8ced4de65c54a1ec5"
        "29f2957fd2896437eea46140f05a039a1672c57d89b5e9dcbbded426a5636ccc1f271f571e6fa979f4c2"
        "9959",
        "b616bcb3048066477c3bbe159a0ee80c57aa5ec4a72037469bbcdea5b8b9458f01208a6361b371a003ef"
        "fd5b24e7f6ea43ac26ebc2abeedf00c1b7cf823ffa2e1a5160cfed161df8401692ccacfdd0608887cce0"
        "555a7337f9307c131268706f640f1360f34243d20854b8119d97b78cec4367fb5cfa501c8aa8e7acfc9e"
        "9e81",
    ),
    2049: (
        "fe293e43eb7b81f44d356bedc9f3d2558adaa0ab92680847227768c9c137b04d5ed1b73333ca39c69951"
        "470d03943a79416d0ee1c7d773e2e3bd046e1f620b50d772b0ceb66d4d7a3142699e46449a7e52b9bece"
        "68509afaeffe55b200f3452d03af0dcb736e82473eed741324a2b417c47c7539efc0fa31537d6e39ebee"
        "7453",
        "c991e26486b07953f69c99f1f353be496c0d403723c24678a90a14f081212a6b2dc3767fd0394e789b32"
        "aafc6188dae068f1bf77cd696c32f0776ffde6beaf7f89ab32d67f3f99275650d778955565a91dce2f1a"
        "92449aa86b0a3bf21aa01ecea0b6e41a294669db1f380360821e7bf6b2ec42fd4e3a8a28f05c5b8863ae"
        "9589",
    ),
    2055: (
        "65132811851d46955c64c0bdf4c107be8c7b56ee7902f164b3517fee699c4e85ee0340ccc99d6bc62d2e"
        "bbd3abc65ed8227ed9201bc661582e090c72d2286e6b36150d1320cb8f9102607baf08440b458d2b116e"
        "accf93dc28f1187c2027ec27df86ca832c3aea3bcc075cf3d29bbdcc36777b5ea59252e82d1fdc267c00"
        "68e3f",
        "5add2cae71ac2feb0d57bae91acee0504bae43c62802e4b7f705ab084d5a6ff822cddbbdcc54a68ac106"
        "23b4dad77e3e991ecb5fddb036d25d09868ba6e2338668304383614dbe90fa4e7a905a3228e19947f11b"
        "aa977294e480b462c1999e68a240bb6eaeac82a10c94b4fd3eff5f5af13015965182d8f41673f8d0e156"
        "ab42f",
    ),
    3072: (
        "c965fa8a7ca86e2f0a146ae19ef4c3d7214a07511a4bb85f72566771b5f9c5461fffc47d8d70b18da79b"
        "f325ee49f171f192967ab8f44612096c27be7a3ce91ccda4d4159a87149670c21998362d8cdc6c9bdfba"
        "ab440c3abd45fdfbb99a34d5bada0caecd24060e0664aa7dad5ba486def09465b600c18f880881e65eac"
        "4fd8174b04b530c5e8213eacf721342271ca788edab2438320007019e0649b918223a7b048ded6a3cdf7"
        "d20f83207f72f1b2f0ce09f35bbac714b4de1885a91050ed",
        "c9140d399123c83c239f273d616502de12de6fb3d3fb8891c874ca9384ae8d0eca6949aae44a7e41f1cd"
        "90491be3c6570b5d1c8de4b830da5c61028e498ae09fcc42aab4f14cbfd7369c08cc83d0170b224ac873"
        "b48f970e18d53ad6cc0c1692f3457faa1a50ae96372b9168f2f2ed1f65f9f3a79e77f5a487dffac417d5"
        "bb3f2ee1f0a5602944c4c00c896e019dedbfdedad290c28f9c59c619070674e168b430b74b5d07d9e2f5"
        "b2ca6ee04d8ef99f267847af8040b7fd896c4941b3277f7b",
    ),
}


@functools.cache
def rsa_key(bits: int = 2048, e: int = 65537) -> rsa.RSAPrivateKey:
    """Return the private key with a modulus of this length, the same one each time."""
    p, q = (int(prime, 16) for prime in _PRIMES[bits])
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)
