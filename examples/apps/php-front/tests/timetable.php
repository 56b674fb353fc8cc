<?php

require __DIR__ . '/../vendor/autoload.php';

if (Ferry\Timetable::next('Mull') !== "The next ferry to Mull leaves at 8\n") {
    fwrite(STDERR, "the ferry to Mull leaves at another time\n");
    exit(1);
}
