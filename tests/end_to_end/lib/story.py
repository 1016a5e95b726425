"""What the seed's stories share: a three-node cluster, a registered file of 100 MB, nine offering clients, one that
downloads and must get the same bytes."""

from files import make_file, same_bytes
from processes import Failure, check
from swarm import Client, Cluster, count_acknowledged, wait_for_offers

FILE_SIZE = 100 * 1000 * 1000 + 4321  # not a multiple of a piece or a block
OFFERING_CLIENTS = 9
NAME = "music.mp3"


class Story:
    def __init__(self, world, size=FILE_SIZE, nodes=3):
        self.world = world
        self.nodes = nodes
        self.file = make_file(world.path(NAME), size)
        self.torrent = world.path("music.torrent")
        self.attempts = 0
        self.cluster = None
        self.client = None

    def set_up_cluster(self):
        """A fresh cluster with the torrent registered."""
        self.attempts += 1
        self.cluster = Cluster(self.world, self.nodes, name=f"tracker{self.attempts}").start()
        self.client = Client(self.world, self.cluster)
        self.client.create(self.file, self.torrent)
        self.client.register(self.torrent)

    def offer_and_strike(self, strike):
        """Nine clients offer nearly at once; strike() happens after the first acknowledgement and before the last.

        When all nine were already acknowledged at the blow, that proved nothing: the scene is set anew, with the
        starts of the clients a little farther apart.
        """
        for attempt in range(6):
            self.set_up_cluster()
            offers = []
            struck = None
            for number in range(1, OFFERING_CLIENTS + 1):
                offers += self.client.start_offers([self.file], self.torrent, stagger=0.02 + 0.04 * attempt, first=number)
                if struck is None and count_acknowledged(offers) > 0 and number > 2:
                    struck = self._strike(strike, offers)
            while struck is None:
                if count_acknowledged(offers) > 0:
                    struck = self._strike(strike, offers)
                for offer in offers:
                    check(offer.process.running(), lambda o=offer: f"{o.process.name} ended: {o.process.err()}")
            before, after = struck
            if before >= 1 and after < OFFERING_CLIENTS:
                print(f"struck when {before} to {after} of {OFFERING_CLIENTS} offers were acknowledged")
                wait_for_offers(offers)
                return offers
            for process in [offer.process for offer in offers] + [node.process for node in self.cluster.nodes]:
                process.kill()
        raise Failure("never struck between the first and the last acknowledgement")

    @staticmethod
    def _strike(strike, offers):
        before = count_acknowledged(offers)
        strike()
        return before, count_acknowledged(offers)

    def offer(self):
        offers = self.client.start_offers([self.file] * OFFERING_CLIENTS, self.torrent)
        wait_for_offers(offers)
        return offers

    def download_and_compare(self, *flags):
        """The ended downloading process, after its result was found identical."""
        result = self.world.path(f"downloaded-{len(self.world.processes)}")
        process = self.client.download(self.torrent, result, *flags)
        check(process.status == 0, f"download ended with {process.status}: {process.err()[-2000:]}")
        check(same_bytes(self.file, result), "the downloaded file differs from the one offered")
        return process
